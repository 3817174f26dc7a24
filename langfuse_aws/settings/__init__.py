"""The typed, validated settings of a stack. Pure: no Pulumi in it but `settings.stack`."""
