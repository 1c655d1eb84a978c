//! Addresses on the network and files on the disk.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::super::tree::Node;
use super::{Report, Shape, cite, quote, text};

/// An address and a port.
pub(in crate::config) struct Address;

impl Shape for Address {
    type Value = SocketAddr;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<SocketAddr> {
        let remedy = "Write an IP address and a port, for example \"127.0.0.1:8000\" or \"[::1]:8000\"";
        let Some(text) = text(node) else { return report.kind(node, "an address in quotes", remedy) };
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => report.wrong(node, format!("{} is no address with a port", cite(text)), remedy),
        }
    }

    fn show(&self, value: &SocketAddr) -> Option<String> {
        Some(quote(&value.to_string()))
    }

    fn describe(&self) -> String {
        "IP address and port".to_owned()
    }
}

/// A range of addresses, or one address.
pub(in crate::config) struct Network;

impl Shape for Network {
    type Value = IpNet;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<IpNet> {
        let remedy = "Write a range such as \"10.0.0.0/8\", or one address";
        let Some(text) = text(node) else { return report.kind(node, "a range of addresses in quotes", remedy) };
        match text.parse::<IpNet>().or_else(|_| text.parse().map(|address: IpAddr| address.into())) {
            Ok(network) => Some(network),
            Err(_) => report.wrong(node, format!("{} is no range of addresses", cite(text)), remedy),
        }
    }

    fn show(&self, value: &IpNet) -> Option<String> {
        Some(quote(&value.to_string()))
    }

    fn describe(&self) -> String {
        "address range (CIDR)".to_owned()
    }
}

/// A file by its path, relative to the working directory.
pub(in crate::config) struct FilePath;

impl Shape for FilePath {
    type Value = PathBuf;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<PathBuf> {
        match text(node) {
            Some(path) if !path.trim().is_empty() => Some(PathBuf::from(path)),
            Some(_) => report.wrong(node, "the path is blank", "Write the path of the file, or remove the key"),
            None => report.kind(node, "a path in quotes", "Write the path in double quotes"),
        }
    }

    fn show(&self, value: &PathBuf) -> Option<String> {
        Some(quote(&value.to_string_lossy()))
    }

    fn describe(&self) -> String {
        "path of a file".to_owned()
    }
}
