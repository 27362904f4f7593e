"""Real baskets with real coupons, as carts and wallets for the best plan."""
