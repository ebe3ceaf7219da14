"""A page to look around in: every sampled image on the map of the components, in one HTML file."""
