"""Problems on images."""
