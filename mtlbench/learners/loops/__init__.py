"""Training loops of networks: training, fine-tuning, probing, and evaluation."""
