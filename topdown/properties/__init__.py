"""What is measured on the engine and compared with experiment."""
