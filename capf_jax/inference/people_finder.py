"""`PeopleFinder`: where the people of a picture are, with their boxes and their 2D joints."""

from __future__ import annotations

KIND = 'person_finder'  # of a weight file
