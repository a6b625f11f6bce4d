"""Where the demo's visitors are: cities, each with addresses that are set aside for documentation.

Nobody has these addresses (RFC 5737, RFC 3849), so no geo database knows them and the demo says where they are.
"""

from random import Random

from collect.enrichment.city import Geo

CITIES = (
    Geo("DE", "Land Berlin", "Berlin", 52.52, 13.41),
    Geo("DE", "Bavaria", "Munich", 48.14, 11.58),
    Geo("DE", "Hamburg", "Hamburg", 53.55, 9.99),
    Geo("FR", "Île-de-France", "Paris", 48.86, 2.35),
    Geo("NL", "North Holland", "Amsterdam", 52.37, 4.9),
    Geo("AT", "Vienna", "Vienna", 48.21, 16.37),
    Geo("JP", "Tokyo", "Tokyo", 35.69, 139.69),
    Geo("JP", "Ōsaka", "Osaka", 34.69, 135.5),
    Geo("JP", "Hokkaido", "Sapporo", 43.06, 141.35),
    Geo("JP", "Fukuoka", "Fukuoka", 33.59, 130.4),
    Geo("US", "Massachusetts", "Boston", 42.36, -71.06),
    Geo("US", "New York", "New York", 40.71, -74.01),
    Geo("US", "Georgia", "Atlanta", 33.75, -84.39),
    Geo("US", "Florida", "Miami", 25.76, -80.19),
    Geo("US", "California", "San Francisco", 37.77, -122.42),
    Geo("US", "California", "Los Angeles", 34.05, -118.24),
    Geo("US", "Washington", "Seattle", 47.61, -122.33),
    Geo("CA", "British Columbia", "Vancouver", 49.28, -123.12),
    Geo("BR", "São Paulo", "São Paulo", -23.55, -46.63),
    Geo("BR", "Rio de Janeiro", "Rio de Janeiro", -22.91, -43.17),
    Geo("BR", "Paraná", "Curitiba", -25.43, -49.27),
    Geo("AR", "Buenos Aires F.D.", "Buenos Aires", -34.6, -58.38),
    Geo("CL", "Santiago Metropolitan", "Santiago", -33.45, -70.67),
    Geo("UY", "Montevideo", "Montevideo", -34.9, -56.16),
)
# Three networks of 256 addresses, shared by 24 cities.
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
_ADDRESSES = len(_NETWORKS) * 256 // len(CITIES)
_IPV6_SHARE = 0.35


def address(city: Geo, rng: Random) -> str:
    """Return an address of this city, one of `CITIES`: IPv4 or, for about a third of the visitors, IPv6."""
    number = CITIES.index(city)
    if rng.random() < _IPV6_SHARE:
        return f"2001:db8:{number + 1:x}:{rng.randrange(1, 0xFFFF):x}::{rng.randrange(1, 0xFFFF):x}"
    network, first = divmod(number * _ADDRESSES, 256)
    return f"{_NETWORKS[network]}.{first + rng.randrange(_ADDRESSES)}"


def server(name: str, city: Geo) -> str:
    """Return the address of the server of this name, which is always the same one."""
    return address(city, Random(name))  # noqa: S311  # a demo, not a secret


def in_countries(*codes: str) -> tuple[Geo, ...]:
    """Return the cities in these countries."""
    return tuple(city for city in CITIES if city.country in codes)
