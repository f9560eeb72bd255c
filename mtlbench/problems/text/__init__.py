"""Problems on texts and sentences."""
