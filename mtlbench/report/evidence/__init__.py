"""What sections draw on: data frames in a fixed shape, and the statistics made from them."""
