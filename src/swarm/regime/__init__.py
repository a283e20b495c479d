"""The quant runtime contract: what regime it is, and how much capital may follow. Pure."""
