"""What is learnt: the lifter and the detector, their steps and their optimizer."""
