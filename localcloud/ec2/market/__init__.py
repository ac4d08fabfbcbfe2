"""The spot market: prices and capacity, by instance type and zone."""
