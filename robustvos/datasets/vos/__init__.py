"""Video object segmentation in DAVIS's, YouTube-VOS's and MOSE's layouts."""
