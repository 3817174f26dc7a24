"""What every stack must hold, as rules over its resources, and as a policy pack of Pulumi's."""
