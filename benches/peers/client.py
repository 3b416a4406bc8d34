"""Reads the keys of all users with httpx, which keeps one nonce for all requests: client.py URL REQUESTS_IN_FLIGHT."""

import asyncio
import os
import sys

import httpx


async def everything(client, url):
    items, number = [], 1
    while True:
        answer = await client.get(url, params={"pageNum": number, "itemsPerPage": 500})
        answer.raise_for_status()
        page = answer.json()
        items += page["results"]
        if len(items) >= page["totalCount"] or not page["results"]:
            return items
        number += 1


async def main():
    url, in_flight = sys.argv[1], int(sys.argv[2])
    auth = httpx.DigestAuth(os.environ["KEYSUNSET_PUBLIC_KEY"], os.environ["KEYSUNSET_PRIVATE_KEY"])
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with httpx.AsyncClient(auth=auth, limits=limits, timeout=60, trust_env=False) as client:
        users = {}
        for org in await everything(client, f"{url}/orgs"):
            for user in await everything(client, f"{url}/orgs/{org['id']}/users"):
                users[user["id"]] = user["username"]
        todo, keys = list(users), 0

        async def work():
            nonlocal keys
            while todo:
                keys += len(await everything(client, f"{url}/users/{todo.pop()}/keys"))

        await asyncio.gather(*(work() for _ in range(in_flight)))
    print(len(users))


asyncio.run(main())
