"""The browsers of the demo's visitors, as real ones name themselves, and the crawlers that come too."""

_MOZILLA = "Mozilla/5.0"
_WINDOWS = f"{_MOZILLA} (Windows NT 10.0; Win64; x64)"
_MAC = f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7)"
_IPHONE = f"{_MOZILLA} (iPhone; CPU iPhone OS 18_6 like Mac OS X)"
_KHTML = "(KHTML, like Gecko)"

# Each with its share among the visitors, in no unit.
BROWSERS = {
    f"{_IPHONE} AppleWebKit/605.1.15 {_KHTML} Version/18.6 Mobile/15E148 Safari/604.1": 24,
    f"{_MOZILLA} (Linux; Android 10; K) AppleWebKit/537.36 {_KHTML} Chrome/141.0.0.0 Mobile Safari/537.36": 22,
    f"{_WINDOWS} AppleWebKit/537.36 {_KHTML} Chrome/141.0.0.0 Safari/537.36": 18,
    f"{_MAC} AppleWebKit/537.36 {_KHTML} Chrome/141.0.0.0 Safari/537.36": 8,
    f"{_MAC} AppleWebKit/605.1.15 {_KHTML} Version/18.6 Safari/605.1.15": 8,
    f"{_WINDOWS} AppleWebKit/537.36 {_KHTML} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0": 6,
    f"{_MOZILLA} (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0": 4,
    f"{_MOZILLA} (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0": 1,
    f"{_MOZILLA} (Linux; Android 14; SM-S918B) AppleWebKit/537.36 {_KHTML} SamsungBrowser/28.0 Chrome/130.0.0.0 "
    "Mobile Safari/537.36": 4,
    f"{_IPHONE} AppleWebKit/605.1.15 {_KHTML} Mobile/22G86 Instagram 401.0.0.29.79": 3,
    f"{_MOZILLA} (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 {_KHTML} CriOS/141.0.7390.41 "
    "Mobile/15E148 Safari/604.1": 2,
}
BOTS = {
    f"{_MOZILLA} (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": 5,
    f"{_MOZILLA} (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": 3,
    f"{_MOZILLA} AppleWebKit/537.36 {_KHTML}; compatible; GPTBot/1.2; +https://openai.com/gptbot": 2,
    f"{_MOZILLA} (X11; Linux x86_64) AppleWebKit/537.36 {_KHTML} HeadlessChrome/139.0.0.0 Safari/537.36": 2,
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)": 1,
    "python-requests/2.32.3": 1,
}
