"""Part B: the digits, the U-Net, the objectives, the recipes, and the judge."""
