"""Real-VAS generation: from static-camera videos to clips with exact amodal ground truth; one file a stage."""
