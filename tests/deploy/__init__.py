"""What deploys SmartQueue: the image, compose.yaml, deploy/ and the workflows."""
