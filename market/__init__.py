"""Smart Ekonomi: registry, charges, payments and prices of traditional markets."""
