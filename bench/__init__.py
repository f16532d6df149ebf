"""Measurements that choose the recipe and the threshold's rule, and the speed benchmark."""
