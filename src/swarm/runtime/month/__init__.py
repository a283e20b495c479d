"""A quant desk lives through a month on a paper venue; only the market is made up."""
