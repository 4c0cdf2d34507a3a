"""Reading patches, the patch gate and the merge engine."""
