"""An imitation of RunPod's API v2, whose pods are embedded web UIs."""
