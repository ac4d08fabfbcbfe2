"""One run of the whole way, for whoever has an account: ``make acceptance CLOUD=aws``."""
