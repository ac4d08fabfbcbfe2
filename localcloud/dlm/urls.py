"""Where moto's base classes look for a service's addresses."""

url_bases = [r"https?://dlm\.(.+)\.amazonaws\.com"]
url_paths: dict[str, object] = {}
