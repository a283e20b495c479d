"""A venue of paper: an order book with latency, losses, rejections, halts and outages."""
