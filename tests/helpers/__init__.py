"""What tests share: painted seas, small models, local servers."""
