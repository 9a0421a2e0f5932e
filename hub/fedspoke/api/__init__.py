"""What every part of fedspoke agrees on: names, the FederatedLearning resource, and the records that cross a wire."""
