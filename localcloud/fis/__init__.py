"""AWS Fault Injection Service: experiments that interrupt spot instances at their owner's wish."""
