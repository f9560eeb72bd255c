"""Problems that come with the package, or are formulas."""
