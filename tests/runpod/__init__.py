"""RunPod: the client, the imitation and the guard."""
