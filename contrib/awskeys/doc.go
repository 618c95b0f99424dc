package awskeys
