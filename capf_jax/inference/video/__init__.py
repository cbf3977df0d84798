"""People of videos: frames, who is who, smoothing, feet and the floor."""
