-- One event a request, each with an event_id of its own; BENCH_KEY and BENCH_EVENTS come from the environment.
-- Half of the ids come in their order, as from a counter, and half at random, as UUIDs do: those cost an index more.
-- BENCH_IDS makes all of them "ordered" or "random".
-- Ends with one line of JSON: what was answered, and how long it took.
local per_request = tonumber(os.getenv("BENCH_EVENTS"))
local path = (os.getenv("BENCH_PREFIX") or "") .. (per_request == 1 and "/api/collect" or "/api/collect/batch")
local rest = '","timestamp":1748275200,"click_id":"clk_xyz","session_id":"sess_abc",'
  .. '"page_url":"https://shop.example.com/cart?step=2","user_agent":"%s",'
  .. '"params":{"content_id":"sku_123","quantity":2,"value":58.00,"currency":"USD"}}'
local agents = {
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1",
  "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
}
local headers = {
  ["Content-Type"] = "application/json",
  ["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY"),
}
local ids = os.getenv("BENCH_IDS")
local sent, head, tails = 0, nil, {}
local start = '{"tag_id":"tag_1","event_name":"items_added","event_id":"'

function init(args)
  math.randomseed(os.time())
  local prefix = string.format("%d-%d", os.time(), math.random(1e9))
  head = start .. prefix .. "-"
  for n, agent in ipairs(agents) do tails[n] = string.format(rest, agent) end
end

-- Put together from ready pieces: the load runs on the processors that it measures.
local function pieces(into, at)
  sent = sent + 1
  into[at], into[at + 1], into[at + 2] = head, sent, tails[sent % #tails + 1]
  if ids == "random" or (ids ~= "ordered" and sent % 2 == 0) then
    into[at], into[at + 1] = start, string.format("%012x-%d", math.random(2 ^ 47), sent)
  end
end

local batch = {}

function request()
  if per_request == 1 then
    pieces(batch, 1)
    return wrk.format("POST", path, headers, table.concat(batch))
  end
  for n = 0, per_request - 1 do
    pieces(batch, 4 * n + 2)
    batch[4 * n + 1] = ","
  end
  batch[1] = '{"events":['
  batch[4 * per_request + 1] = "]}"
  return wrk.format("POST", path, headers, table.concat(batch))
end

function done(summary, latency, requests)
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"errors":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
