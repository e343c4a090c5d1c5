"""AI Toolkit's Gradio app."""
