"""How much capital may follow: allocation, the ladder, taking back, the quant profile's freeze."""
