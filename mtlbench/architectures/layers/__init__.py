"""The torch modules that architectures and trunks consist of; imported only to build a model, not while planning."""
