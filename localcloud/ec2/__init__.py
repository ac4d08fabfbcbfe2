"""moto's EC2, made as strict as EC2 itself and given real machines, volumes and a spot market."""
