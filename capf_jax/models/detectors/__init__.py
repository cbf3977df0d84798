"""2D detectors: feature maps for the lifter, and heatmaps of the joints."""
