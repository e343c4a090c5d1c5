"""What somebody sees in a real browser: JupyterLab, Voilà, and pages without any script."""
