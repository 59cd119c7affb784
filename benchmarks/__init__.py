"""Speed beside peers: one run, interleaved, medians and ratios."""
