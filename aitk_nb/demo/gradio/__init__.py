"""The embedded copy of AI Toolkit's Gradio app."""
