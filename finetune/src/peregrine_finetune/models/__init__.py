"""Networks that are small enough to read: CIFAR ResNets, a VGG, and torchvision's MobileNetV2."""

from .mobilenet import mobilenet_v2
from .resnet import CifarResNet, resnet20, resnet32, resnet44
from .vgg import SmallVgg

__all__ = ["CifarResNet", "SmallVgg", "mobilenet_v2", "resnet20", "resnet32", "resnet44"]
