"""The Trainer's code: ResNet50 under a small head, fed by a balanced generator."""
