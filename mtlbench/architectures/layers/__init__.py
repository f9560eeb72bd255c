"""The torch modules that architectures and trunks are built of; imported when a model is built, never by a plan."""
