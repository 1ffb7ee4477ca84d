"""Pictures of things that take steps: an application from submission to permit, a dry run with errors, a balance topped up."""

import io
from pathlib import Path
from typing import Any

from rustpy_xlsxwriter import FastExcel

from market.tour import PASSWORD
from tests.city import City


def tell(browser: Any, city: City, folder: Path, width: int, height: int, save: Any) -> list[str]:
    """Take them at one width into `folder`; returns what went wrong."""
    wrong: list[str] = []

    def person(name: str) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, locale="id-ID")
        page = context.new_page()
        page.goto(f"{city.base}/login")
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", PASSWORD)
        page.click("form[action='/login'] button")
        page.wait_for_load_state()
        return page

    def picture(page: Any, name: str) -> None:
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            wrong.append(f"{name}: {wide} px wider than {width}")
        save(page.screenshot(full_page=True), folder / f"{name}-{width}.png")

    def step(page: Any, action: str) -> None:
        page.check(f"input[name=action][value={action}]")
        page.click("form.form button.button")
        page.wait_for_load_state()

    vendor = person("pedagang")
    vendor.goto(f"{city.base}/vendor/applications?market=KRN")
    if vendor.locator("details:not([open]) summary").count():
        vendor.click("details summary")
    picture(vendor, "application-1-form")
    vendor.fill("input[name=goods]", "canang")
    vendor.click("form.form button.button")
    vendor.wait_for_load_state()
    address = vendor.url.replace("/vendor/", "/office/")
    picture(vendor, "application-2-submitted")
    clerk = person("loket")
    clerk.goto(address)
    step(clerk, "verify")
    head = person("kepala")
    head.goto(address)
    picture(head, "application-3-decide")
    step(head, "approve")
    picture(head, "application-4-offer")
    step(head, "offer")
    vendor.goto(address.replace("/office/", "/vendor/"))
    step(vendor, "accept")
    picture(vendor, "application-5-permit")
    vendor.click("a[href*='/vendor/letters/'] >> nth=-1")
    vendor.wait_for_load_state()
    picture(vendor, "application-6-letter")
    clerk.goto(f"{city.base}/office/import")
    clerk.set_input_files("input[type=file]", {"name": "pasar.xlsx", "mimeType": "", "buffer": faulty()})
    clerk.click("form[enctype] button.button >> nth=0")
    clerk.wait_for_load_state()
    picture(clerk, "import-errors")
    vendor.goto(f"{city.base}/vendor/titipan/KRN")
    vendor.fill("input[name=amount]", "50.000")
    vendor.click("button[value=qris]")
    vendor.wait_for_selector(".qr-card")
    picture(vendor, "titipan-1-qr")
    bank = vendor.context.new_page()
    bank.goto(vendor.get_attribute("a[href*='/acquirer/pay?']", "href"))
    bank.click("main form:has(input[value=pay]) button")
    vendor.wait_for_selector(".qr-card", state="detached")
    picture(vendor, "titipan-2-paid")
    vendor.goto(f"{city.base}/vendor/titipan/KRN")
    picture(vendor, "titipan-3-statement")
    for page in (vendor, clerk, head):
        page.context.close()
    return wrong


def faulty() -> bytes:
    """A workbook with a mistake of each usual kind."""
    target = io.BytesIO()
    book = FastExcel(target)
    book.sheet(
        "Tempat",
        [
            {"Kode": "Z-01", "Jenis": "kios", "Blok": "Z", "Nomor": 1, "Luas m²": "0"},
            {"Kode": "Z-02", "Jenis": "gerobak", "Blok": "Z", "Nomor": 2, "Luas m²": "4,00"},
        ],
    )
    book.sheet("Pedagang", [{"Nomor pedagang": "V1", "Nama dagang": "Warung Contoh", "NIK": "123"}])
    book.sheet("Izin", [{"Kode tempat": "Z-99", "Sesi": "sore", "Nomor pedagang": "V1", "Mulai": "awal tahun"}])
    book.save()
    return target.getvalue()
