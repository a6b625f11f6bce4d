// Asks for what is new while somebody looks, marks it, and keeps the table short. htmx puts the answers in their places.
"use strict";

(() => {
  const EVERY = 2000;
  const AGAIN_AFTER_FAILURE = 10000;
  // An answer that takes longer is given up and asked for again.
  const PATIENCE = 20000;
  const MARKED = 3000;
  const SAID_EVERY = 10000;
  const MOST_ROWS = 200;
  const MOST_LATE = 10;
  const LIVE = "Live: what is committed shows within two seconds.";

  const table = document.getElementById("live-table");
  const state = document.getElementById("live-state");
  const said = document.getElementById("live-said");
  const late = document.getElementById("live-late");
  const button = document.getElementById("live-pause");

  let isPaused = false;
  let askedAt = 0;
  let nextAt = Date.now() + EVERY;
  let unsaid = 0;
  let saidAt = 0;
  // While nobody looked, or the page was paused: since when, and why.
  let away = null;
  const known = new Set([...table.querySelectorAll("tr[id]")].map((row) => row.id));

  const next = () => document.getElementById("live-next");
  const isWatched = () => !isPaused && !document.hidden;

  function show(kind, text) {
    state.dataset.state = kind;
    if (state.textContent !== text) {
      state.textContent = text;
    }
  }

  function look() {
    askedAt = Date.now();
    htmx.trigger(next(), "live:look");
  }

  function stop(why) {
    away ??= { since: next().dataset.at, why };
    show("paused", isPaused ? "Paused. What comes in meanwhile is caught up." : "Paused while nobody looks.");
  }

  function resume() {
    if (!isWatched()) {
      return;
    }
    show("live", LIVE);
    askedAt = 0;
    nextAt = 0;
  }

  function turn() {
    const now = Date.now();
    if (unsaid > 0 && now - saidAt >= SAID_EVERY) {
      said.textContent = `${unsaid.toLocaleString("en")} new`;
      unsaid = 0;
      saidAt = now;
    }
    if (!isWatched() || now < nextAt || (askedAt && now - askedAt < PATIENCE)) {
      return;
    }
    look();
  }

  function sort() {
    const seconds = [...table.tBodies];
    const isSorted = seconds.every((one, index) => index === 0 || Number(seconds[index - 1].dataset.second) >= Number(one.dataset.second));
    if (!isSorted) {
      seconds.sort((one, other) => Number(other.dataset.second) - Number(one.dataset.second));
      table.append(...seconds);
    }
  }

  function shorten() {
    let rows = 0;
    let last = null;
    const dropped = [];
    for (const second of table.tBodies) {
      rows += second.rows.length;
      if (rows > MOST_ROWS) {
        dropped.push(second);
      } else {
        last = second;
      }
    }
    dropped.forEach((second) => second.remove());
    while (late.children.length > MOST_LATE) {
      late.lastElementChild.remove();
    }
    if (dropped.length && last) {
      const older = document.getElementById("live-older");
      const address = new URL(older.dataset.address, window.location.href);
      address.searchParams.set("until", last.dataset.until);
      const link = document.createElement("a");
      link.href = address;
      link.className = "text-primary-600 dark:text-primary-500";
      link.textContent = "Older";
      older.replaceChildren(link);
    }
  }

  function mark() {
    const rows = [...table.querySelectorAll("tr[id]")];
    const fresh = rows.filter((row) => !known.has(row.id));
    known.clear();
    rows.forEach((row) => known.add(row.id));
    fresh.forEach((row) => row.classList.add("is-new"));
    window.setTimeout(() => fresh.forEach((row) => row.classList.remove("is-new")), MARKED);
  }

  function answered() {
    askedAt = 0;
    nextAt = Date.now() + EVERY;
    unsaid += Number(next().dataset.new);
    sort();
    shorten();
    mark();
    if (away) {
      const why = away.why === "hidden" ? "while nobody looked" : "by you";
      show("live", `Live. Paused ${why}; ${away.since} to ${next().dataset.at} was caught up.`);
      away = null;
    } else if (state.dataset.state === "failing") {
      show("live", LIVE);
    }
  }

  function failed(text) {
    askedAt = 0;
    nextAt = Date.now() + AGAIN_AFTER_FAILURE;
    if (isWatched()) {
      away ??= null;
      show("failing", text);
    }
  }

  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    button.querySelector("[data-label]").textContent = isPaused ? "Go on" : "Pause";
    button.querySelector("span").textContent = isPaused ? "play_arrow" : "pause";
    if (isPaused) {
      stop("paused");
    } else {
      resume();
    }
  });

  document.addEventListener("visibilitychange", () => (document.hidden ? stop("hidden") : resume()));
  document.body.addEventListener("htmx:oobAfterSwap", (event) => {
    if (event.detail.target.id === "live-next") {
      // The other parts of the same answer are put in their places before this turn ends.
      window.setTimeout(answered);
    }
  });
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.responseURL.includes("/login/")) {
      window.location.reload();
    }
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    failed(`The server answered ${event.detail.xhr.status}; the page goes on asking, and nothing is left out.`);
  });
  document.body.addEventListener("htmx:sendError", () => {
    failed("The server does not answer; the page goes on asking, and nothing is left out.");
  });
  window.setInterval(turn, 250);
})();
