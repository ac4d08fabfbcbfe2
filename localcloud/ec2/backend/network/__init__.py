"""Network interfaces, as far as they are no machine's."""
