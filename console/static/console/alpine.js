// What unfold's pages ask of Alpine by name. Its CSP build evaluates no script: it reads single expressions, and sees
// neither globals nor functions that are not registered here. The functions without a body are unfold's, of its app.js.
"use strict";

const SIDEBAR = "sidebarDesktopOpen";

// The body: which tab and which sidebar are open, and the panel of filters.
function frame(tab = "") {
  return {
    activeTab: getCurrentTab() || tab,
    sidebarMobileOpen: false,
    [SIDEBAR]: (localStorage.getItem(SIDEBAR) ?? "1") === "1",
    init() {
      this.$watch(SIDEBAR, (isOpen) => localStorage.setItem(SIDEBAR, isOpen ? "1" : "0"));
    },
    addressWithTab() {
      const hash = this.activeTab && this.activeTab !== "general" ? `#${this.activeTab}` : "";
      return window.location.pathname + window.location.search + hash;
    },
    showFilters() {
      this.filterOpen = true;
      this.$nextTick(() => document.querySelector("#changelist-filter a")?.focus());
    },
    hideFilters(button) {
      if (this.filterOpen) {
        this.filterOpen = false;
        button.focus();
      }
    },
  };
}

document.addEventListener("alpine:init", () => {
  Alpine.data("frame", frame);
  Alpine.data("theme", theme);
  Alpine.data("searchForm", searchForm);
  Alpine.data("searchDropdown", searchDropdown);
  Alpine.data("searchCommand", searchCommand);
});
