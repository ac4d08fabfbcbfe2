"""A service's addresses, in the place in which moto's base classes look for them."""

url_bases = [r"https?://fis\.(.+)\.amazonaws\.com"]
url_paths: dict[str, object] = {}
