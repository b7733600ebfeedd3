"""What a home computes in a training round, a module for each recipe; imported only while a round runs."""
